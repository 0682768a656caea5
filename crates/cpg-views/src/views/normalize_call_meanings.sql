-- The answers to what calls ask, with inheritance.
WITH answers AS (
    SELECT unnest(resolve_names(role, name, target, path, rank)) AS answer
    FROM (
        SELECT role, name, target, path, rank FROM normalize.name_facts
        UNION ALL
        SELECT DISTINCT 'ancestor', class_name, ancestor_name, CAST(NULL AS VARCHAR), position
        FROM normalize.class_mro
        WHERE position > 0
        UNION ALL
        SELECT DISTINCT role, concat(role, ':', root, ':', path), root, path, CAST(NULL AS INT)
        FROM normalize.call_queries
    ) AS program
),
meanings AS (
    SELECT answer['key'] AS query_key, answer['status'] AS status, answer['target'] AS target, answer['rest'] AS rest
    FROM answers
)
SELECT DISTINCT
    meanings.query_key,
    CASE
        WHEN meanings.status = 'external' THEN symbol_id('external', meanings.target, 0)
        ELSE targets.symbol_id
    END AS symbol_id,
    CASE WHEN meanings.status = 'external' THEN 'external' ELSE targets.symbol_kind END AS symbol_kind,
    meanings.target AS qualified_name,
    meanings.status,
    meanings.rest
FROM meanings
LEFT JOIN normalize.targets AS targets
    ON targets.qualified_name = meanings.target AND targets.status = meanings.status
