-- Every edge, stored or derived.
SELECT edge_kind, src_node_id, dst_node_id, label, position, origin, resolution, confidence, ambiguity_group, family
FROM cpg.cpg_edges
UNION ALL
SELECT edge_kind, src_node_id, dst_node_id, label, position, origin, resolution, confidence, ambiguity_group, family
FROM cpg.ast_edges
UNION ALL
SELECT edge_kind, src_node_id, dst_node_id, label, position, origin, resolution, confidence, ambiguity_group, family
FROM cpg.contains_edges
