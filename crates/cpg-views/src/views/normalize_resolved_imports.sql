-- What each import names, in the tree or outside of it.
WITH found AS (
    SELECT DISTINCT queries.node_id, meanings.symbol_id, meanings.symbol_kind, meanings.qualified_name, meanings.status
    FROM normalize.import_queries AS queries
    JOIN normalize.import_meanings AS meanings
        ON meanings.query_key = concat(queries.role, ':', queries.root, ':', queries.path)
    WHERE queries.asker = 'import'
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
        WHEN counted.candidate_count > 1 THEN 'ambiguous'
        WHEN found.status IN ('external', 'missing') THEN found.status
        ELSE 'resolved'
    END AS status,
    counted.candidate_count
FROM found
JOIN counted ON counted.node_id = found.node_id
