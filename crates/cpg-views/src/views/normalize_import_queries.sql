-- What imports and the bases of classes ask for.
WITH builtins AS (
    SELECT DISTINCT name FROM extract.references WHERE resolution = 'builtin'
)
SELECT
    'import' AS asker,
    node_id,
    CAST(0 AS INT) AS position,
    'module_query' AS role,
    target_module AS root,
    CASE WHEN import_kind = 'from' AND NOT is_star THEN imported_name END AS path
FROM extract.imports
WHERE target_module IS NOT NULL
UNION ALL
SELECT
    'base',
    bases.class_id,
    bases.position,
    CASE roots.origin WHEN 'import' THEN 'module_query' ELSE 'name_query' END,
    roots.root,
    nullif(concat_ws('.', roots.path, bases.path), '')
FROM extract.class_bases AS bases
JOIN normalize.binding_roots AS roots ON roots.binding_id = bases.root_binding_id
UNION ALL
SELECT
    'base',
    bases.class_id,
    bases.position,
    'module_query',
    CASE WHEN builtins.name IS NULL THEN modules.qualified_name ELSE 'builtins' END,
    nullif(concat_ws('.', bases.root_name, bases.path), '')
FROM extract.class_bases AS bases
JOIN extract.definitions AS modules ON file_of(modules.node_id) = file_of(bases.class_id)
LEFT JOIN builtins ON builtins.name = bases.root_name
WHERE modules.definition_kind = 'module' AND bases.root_binding_id IS NULL AND bases.root_name IS NOT NULL
