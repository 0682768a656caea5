-- What calls ask for: the meaning of a callee that begins with a name. Names that no scope of the file binds are builtins
-- or come from a star import.
WITH reassigned AS (
    SELECT DISTINCT definitions.binding_id
    FROM extract.definitions AS definitions
    JOIN extract.references AS stores ON stores.binding_id = definitions.binding_id
    WHERE stores.context = 'store'
),
builtins AS (
    SELECT DISTINCT name FROM extract.references WHERE resolution = 'builtin'
)
SELECT
    calls.node_id,
    CASE roots.origin WHEN 'import' THEN 'module_query' ELSE 'name_query' END AS role,
    roots.root,
    nullif(concat_ws('.', roots.path, calls.path), '') AS path,
    CASE
        WHEN roots.origin = 'import' THEN 'import'
        WHEN calls.path IS NULL THEN 'local_definition'
        ELSE 'class_attribute'
    END AS method,
    roots.origin = 'definition' AND reassigned.binding_id IS NOT NULL AS is_reassigned
FROM extract.calls AS calls
JOIN normalize.binding_roots AS roots ON roots.binding_id = calls.root_binding_id
LEFT JOIN reassigned ON reassigned.binding_id = roots.binding_id
UNION ALL
SELECT
    calls.node_id,
    'module_query',
    CASE WHEN builtins.name IS NULL THEN modules.qualified_name ELSE 'builtins' END,
    concat_ws('.', calls.root_name, calls.path),
    CASE WHEN builtins.name IS NULL THEN 'star_import' ELSE 'builtin' END,
    FALSE
FROM extract.calls AS calls
JOIN extract.definitions AS modules ON file_of(modules.node_id) = file_of(calls.node_id)
LEFT JOIN builtins ON builtins.name = calls.root_name
WHERE calls.root_binding_id IS NULL AND calls.root_name IS NOT NULL AND modules.definition_kind = 'module'
