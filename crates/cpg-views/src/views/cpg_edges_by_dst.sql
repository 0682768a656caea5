-- The stored edges of each node by their destination, sorted, at most 1,024 to a row.
WITH adjacency AS (
    SELECT
        dst_node_id AS node_id,
        unnest(list_buckets(sorted_entries(named_struct(
            'edge_kind', edge_kind,
            'src_node_id', src_node_id,
            'label', label,
            'position', position,
            'origin', origin,
            'resolution', resolution,
            'confidence', confidence,
            'ambiguity_group', ambiguity_group,
            'family', family
        )), 1024)) AS part
    FROM cpg.cpg_edges
    GROUP BY dst_node_id
)
SELECT node_id, part['bucket'] AS bucket, part['degree'] AS degree, part['entries'] AS entries
FROM adjacency
