-- Every edge that is stored: those of one file, then those that cross files through symbols.
SELECT
    'REF' AS edge_kind,
    node_id AS src_node_id,
    binding_id AS dst_node_id,
    context AS label,
    CAST(NULL AS INT) AS position,
    'scope' AS origin,
    resolution,
    CAST(1.0 AS DOUBLE) AS confidence,
    CAST(NULL AS BIGINT) AS ambiguity_group,
    'local' AS family
FROM extract.references
WHERE binding_id IS NOT NULL
UNION ALL
SELECT 'DECLARES', node_id, symbol_id, NULL, NULL, 'declaration', 'exact', 1.0, NULL, 'local'
FROM extract.definitions
UNION ALL
SELECT 'DECLARES', node_id, symbol_id, NULL, NULL, 'declaration', 'exact', 1.0, NULL, 'local'
FROM extract.parameters
UNION ALL
SELECT 'DECLARES', bindings.binding_id, bindings.symbol_id, NULL, NULL, 'declaration', 'exact', 1.0, NULL, 'local'
FROM extract.bindings AS bindings
JOIN normalize.symbols AS attributes ON attributes.symbol_id = bindings.symbol_id
WHERE attributes.symbol_kind = 'attribute' AND NOT bindings.is_imported
UNION ALL
SELECT
    'ARGUMENT',
    call_id,
    node_id,
    CASE argument_kind WHEN 'keyword' THEN keyword WHEN 'star' THEN '*' WHEN 'double_star' THEN '**' END,
    position,
    'syntax',
    'exact',
    1.0,
    NULL,
    'local'
FROM extract.arguments
UNION ALL
SELECT 'RECEIVER', node_id, receiver_id, NULL, NULL, 'syntax', 'exact', 1.0, NULL, 'local'
FROM extract.calls
WHERE receiver_id IS NOT NULL
UNION ALL
SELECT 'PY_SCOPE_PARENT', scope_id, parent_scope_id, NULL, NULL, 'scope', 'exact', 1.0, NULL, 'local'
FROM extract.scopes
WHERE parent_scope_id IS NOT NULL
UNION ALL
SELECT 'BINDS', scope_id, binding_id, NULL, NULL, 'scope', 'exact', 1.0, NULL, 'local'
FROM extract.bindings
UNION ALL
SELECT 'CAPTURE', binding_id, resolves_to, NULL, NULL, 'scope', 'exact', 1.0, NULL, 'local'
FROM extract.bindings
WHERE is_free AND resolves_to IS NOT NULL
UNION ALL
SELECT 'PY_DOCUMENTS', node_id, owner_id, NULL, NULL, 'syntax', 'exact', 1.0, NULL, 'local'
FROM extract.docstrings
UNION ALL
SELECT 'PY_HAS_DIAGNOSTIC', file_of(node_id), node_id, NULL, NULL, 'syntax', 'exact', 1.0, NULL, 'local'
FROM extract.diagnostics
UNION ALL
SELECT 'PY_EXPORTS', file_id, binding_id, export_kind, position, 'declaration', 'exact', 1.0, NULL, 'local'
FROM extract.exports
WHERE binding_id IS NOT NULL
UNION ALL
SELECT
    'IMPORTS',
    node_id,
    symbol_id,
    NULL,
    NULL,
    'import',
    status,
    CASE status WHEN 'missing' THEN 0.5 ELSE 0.95 END / candidate_count,
    CASE WHEN candidate_count > 1 THEN node_id END,
    'linked'
FROM normalize.resolved_imports
UNION ALL
SELECT
    'INHERITS_FROM',
    class_id,
    base_id,
    NULL,
    position,
    'class_base',
    CASE base_kind WHEN 'external' THEN 'external' ELSE 'resolved' END,
    0.95,
    NULL,
    'linked'
FROM normalize.resolved_bases
WHERE base_id IS NOT NULL
UNION ALL
SELECT
    'CALL',
    node_id,
    symbol_id,
    CASE symbol_kind WHEN 'class' THEN 'instantiates' END,
    NULL,
    method,
    status,
    confidence,
    CASE WHEN candidate_count > 1 THEN node_id END,
    'linked'
FROM normalize.call_candidates
UNION ALL
SELECT
    'CALL',
    candidates.node_id,
    initialisers.symbol_id,
    '__init__',
    NULL,
    'class_init',
    min(candidates.status),
    least(max(candidates.confidence), 0.95),
    max(CASE WHEN candidates.candidate_count > 1 THEN candidates.node_id END),
    'linked'
FROM normalize.call_candidates AS candidates
JOIN normalize.class_initialisers AS initialisers ON initialisers.class_id = candidates.symbol_id
GROUP BY candidates.node_id, initialisers.symbol_id
