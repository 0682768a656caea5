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
    SELECT *, CAST(count(*) OVER (PARTITION BY node_id) AS INT) AS candidate_count FROM found
)
SELECT
    node_id,
    symbol_id,
    symbol_kind,
    qualified_name,
    CASE
        WHEN candidate_count > 1 OR is_reassigned THEN 'ambiguous'
        WHEN symbol_kind = 'external' THEN 'external'
        ELSE 'resolved'
    END AS status,
    method,
    CASE
        WHEN is_reassigned THEN 0.5
        WHEN method = 'local_definition' THEN 1.0
        ELSE 0.95
    END / candidate_count AS confidence,
    candidate_count
FROM counted
