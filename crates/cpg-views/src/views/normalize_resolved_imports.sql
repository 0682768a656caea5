-- What each import names, in the tree or outside of it.
WITH found AS (
    SELECT DISTINCT queries.node_id, meanings.symbol_id, meanings.symbol_kind, meanings.qualified_name, meanings.status
    FROM normalize.import_queries AS queries
    JOIN normalize.import_meanings AS meanings
        ON meanings.query_key = concat(queries.role, ':', queries.root, ':', queries.path)
    WHERE queries.asker = 'import'
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
        WHEN candidate_count > 1 THEN 'ambiguous'
        WHEN status IN ('external', 'missing') THEN status
        ELSE 'resolved'
    END AS status,
    candidate_count
FROM counted
