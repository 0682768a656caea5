-- The tree: every node but a file's own hangs below its parent.
SELECT
    'AST' AS edge_kind,
    parent_id AS src_node_id,
    node_id AS dst_node_id,
    CAST(NULL AS VARCHAR) AS label,
    position,
    'syntax' AS origin,
    'exact' AS resolution,
    CAST(1.0 AS DOUBLE) AS confidence,
    CAST(NULL AS BIGINT) AS ambiguity_group,
    'local' AS family
FROM cpg.cpg_nodes
WHERE parent_id IS NOT NULL
