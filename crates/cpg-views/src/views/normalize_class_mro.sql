-- The method resolution order of every class of the tree; position 0 is the class itself.
WITH ancestors AS (
    SELECT unnest(c3_mro(class_id, position, base_id)) AS ancestor
    FROM (
        SELECT class_id, position, base_id FROM normalize.resolved_bases
        UNION ALL
        SELECT symbol_id, CAST(NULL AS INT), CAST(NULL AS BIGINT)
        FROM normalize.symbols
        WHERE symbol_kind = 'class'
    ) AS hierarchy
),
named AS (
    SELECT symbol_id, qualified_name FROM normalize.symbols WHERE symbol_kind = 'class'
    UNION ALL
    SELECT DISTINCT base_id, base_name FROM normalize.resolved_bases WHERE base_kind = 'external'
)
SELECT
    ancestor['class_id'] AS class_id,
    ancestor['position'] AS position,
    ancestor['ancestor_id'] AS ancestor_id,
    classes.qualified_name AS class_name,
    named.qualified_name AS ancestor_name,
    ancestor['is_exact'] AS is_exact
FROM ancestors
JOIN named AS classes ON classes.symbol_id = ancestor['class_id']
JOIN named ON named.symbol_id = ancestor['ancestor_id']
