-- The program as `resolve_names` reads it: what is declared, what is imported under which name, what modules offer.
WITH modules AS (
    SELECT file_of(node_id) AS file_id, qualified_name
    FROM extract.definitions
    WHERE definition_kind = 'module'
)
SELECT 'module' AS role, qualified_name AS name, CAST(NULL AS VARCHAR) AS target, CAST(NULL AS VARCHAR) AS path, CAST(NULL AS INT) AS rank
FROM modules
UNION ALL
SELECT CASE symbol_kind WHEN 'class' THEN 'class' ELSE 'name' END, qualified_name, NULL, NULL, NULL
FROM normalize.symbols
WHERE symbol_kind IN ('class', 'function', 'attribute')
UNION ALL
SELECT 'alias', bound.qualified_name, roots.root, roots.path, NULL
FROM normalize.binding_roots AS roots
JOIN extract.bindings AS bound ON bound.binding_id = roots.binding_id
WHERE roots.origin = 'import' AND bound.qualified_name IS NOT NULL
UNION ALL
SELECT 'star', modules.qualified_name, stars.target_module, NULL, CAST(stars.node_id - modules.file_id AS INT)
FROM extract.imports AS stars
JOIN modules ON modules.file_id = file_of(stars.node_id)
WHERE stars.is_star AND stars.target_module IS NOT NULL
UNION ALL
SELECT 'public', modules.qualified_name, offered.name, NULL, NULL
FROM extract.exports AS offered
JOIN modules ON modules.file_id = offered.file_id
WHERE offered.is_in_all
