-- The answers to what imports and bases ask, without inheritance.
WITH answers AS (
    SELECT unnest(resolve_names(role, name, target, path, rank)) AS answer
    FROM (
        SELECT role, name, target, path, rank FROM normalize.name_facts
        UNION ALL
        SELECT DISTINCT role, concat(role, ':', root, ':', path), root, path, CAST(NULL AS INT)
        FROM normalize.import_queries
    ) AS program
),
meanings AS (
    SELECT answer['key'] AS query_key, answer['status'] AS status, answer['target'] AS target, answer['rest'] AS rest
    FROM answers
)
SELECT DISTINCT
    meanings.query_key,
    coalesce(targets.symbol_id, symbol_id('external', meanings.target, 0)) AS symbol_id,
    coalesce(targets.symbol_kind, 'external') AS symbol_kind,
    meanings.target AS qualified_name,
    meanings.status
FROM meanings
LEFT JOIN normalize.targets AS targets
    ON targets.qualified_name = meanings.target AND targets.status = meanings.status
WHERE meanings.status <> 'stuck'
