-- Sites as the extractor numbered them, then symbols, whose ids are all larger.
SELECT
    node_id,
    node_kind,
    file_of(node_id) AS file_id,
    parent_id,
    subtree_end,
    position,
    name,
    qualified_name,
    bstart,
    bend,
    line
FROM extract.nodes
UNION ALL
SELECT symbol_id, 'PY_SYMBOL', NULL, NULL, NULL, NULL, name, qualified_name, NULL, NULL, NULL
FROM normalize.symbols
UNION ALL
SELECT symbol_id, 'PY_EXTERNAL', NULL, NULL, NULL, NULL, split_part(qualified_name, '.', -1), qualified_name, NULL, NULL, NULL
FROM normalize.external_symbols
