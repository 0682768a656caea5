-- The stored edges of each node by their source, sorted, at most 1,024 to a row.
-- Each family is stored in the order of the sources, so that both together need no sort.
WITH edges AS (
    SELECT * FROM cpg.cpg_edges WHERE family = 'local'
    UNION ALL
    SELECT * FROM cpg.cpg_edges WHERE family = 'linked'
),
adjacency AS (
    SELECT
        src_node_id AS node_id,
        unnest(list_buckets(sorted_entries(named_struct(
            'edge_kind', edge_kind,
            'dst_node_id', dst_node_id,
            'label', label,
            'position', position,
            'origin', origin,
            'resolution', resolution,
            'confidence', confidence,
            'ambiguity_group', ambiguity_group,
            'family', family
        )), 1024)) AS part
    FROM edges
    GROUP BY src_node_id
)
SELECT node_id, part['bucket'] AS bucket, part['degree'] AS degree, part['entries'] AS entries
FROM adjacency
