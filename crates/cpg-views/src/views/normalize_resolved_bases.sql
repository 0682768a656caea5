-- What each class inherits from: a class of the tree, an external name, or something that is not known.
WITH meant AS (
    SELECT queries.node_id, queries.position, meanings.symbol_id, meanings.symbol_kind, meanings.qualified_name
    FROM normalize.import_queries AS queries
    JOIN normalize.import_meanings AS meanings
        ON meanings.query_key = concat(queries.role, ':', queries.root, ':', queries.path)
    WHERE queries.asker = 'base' AND meanings.symbol_kind IN ('class', 'external') AND meanings.status <> 'missing'
)
SELECT DISTINCT
    classes.symbol_id AS class_id,
    bases.position,
    meant.symbol_id AS base_id,
    meant.symbol_kind AS base_kind,
    classes.qualified_name AS class_name,
    meant.qualified_name AS base_name
FROM extract.class_bases AS bases
JOIN extract.definitions AS classes ON classes.node_id = bases.class_id
LEFT JOIN meant ON meant.node_id = bases.class_id AND meant.position = bases.position
