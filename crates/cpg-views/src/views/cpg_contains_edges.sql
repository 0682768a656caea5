-- Which method an expression or statement runs in, and what a class and a file define: of all nodes of the container's
-- kind whose subtree holds the node, the innermost one.
WITH members AS (
    SELECT
        node_id,
        file_id,
        CASE node_kind WHEN 'METHOD' THEN 'TYPE_DECL' ELSE 'METHOD' END AS container_kind
    FROM cpg.cpg_nodes
    WHERE node_kind IN (
        'METHOD', 'BLOCK', 'CALL', 'CONTROL_STRUCTURE', 'FIELD_IDENTIFIER', 'IDENTIFIER', 'IMPORT', 'LITERAL',
        'METHOD_REF', 'RETURN', 'TYPE_REF', 'UNKNOWN'
    )
),
containers AS (
    SELECT node_id, file_id, subtree_end, node_kind FROM cpg.cpg_nodes WHERE node_kind IN ('METHOD', 'TYPE_DECL')
),
contained AS (
    SELECT max(containers.node_id) AS container_id, members.node_id
    FROM members
    JOIN containers
        ON containers.file_id = members.file_id
        AND containers.node_kind = members.container_kind
        AND members.node_id > containers.node_id
        AND members.node_id <= containers.subtree_end
    GROUP BY members.node_id
    UNION ALL
    SELECT file_id, node_id FROM containers
)
SELECT
    'CONTAINS' AS edge_kind,
    container_id AS src_node_id,
    node_id AS dst_node_id,
    CAST(NULL AS VARCHAR) AS label,
    CAST(NULL AS INT) AS position,
    'syntax' AS origin,
    'exact' AS resolution,
    CAST(1.0 AS DOUBLE) AS confidence,
    CAST(NULL AS BIGINT) AS ambiguity_group,
    'local' AS family
FROM contained
