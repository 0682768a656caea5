-- What each call may call: functions and classes of the tree, and external names.
WITH found AS (
    SELECT
        queries.node_id,
        meanings.symbol_id,
        min(meanings.symbol_kind) AS symbol_kind,
        min(meanings.qualified_name) AS qualified_name,
        min(queries.method) AS method,
        bool_or(queries.is_reassigned) AS is_reassigned
    FROM normalize.call_queries AS queries
    JOIN normalize.call_meanings AS meanings
        ON meanings.query_key = concat(queries.role, ':', queries.root, ':', queries.path)
    WHERE meanings.symbol_kind IN ('class', 'function', 'external')
    GROUP BY queries.node_id, meanings.symbol_id
),
counted AS (
    SELECT node_id, CAST(count(*) AS INT) AS candidate_count FROM found GROUP BY node_id
)
SELECT
    found.node_id,
    found.symbol_id,
    found.symbol_kind,
    found.qualified_name,
    CASE
        WHEN counted.candidate_count > 1 OR found.is_reassigned THEN 'ambiguous'
        WHEN found.symbol_kind = 'external' THEN 'external'
        ELSE 'resolved'
    END AS status,
    found.method,
    CASE
        WHEN found.is_reassigned THEN 0.5
        WHEN found.method = 'local_definition' THEN 1.0
        ELSE 0.95
    END / counted.candidate_count AS confidence,
    counted.candidate_count
FROM found
JOIN counted ON counted.node_id = found.node_id
