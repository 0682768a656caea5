-- One row for every call, whatever is known of it.
WITH found AS (
    SELECT
        node_id,
        min(status) AS status,
        min(method) AS method,
        max(confidence) AS confidence,
        max(candidate_count) AS candidate_count
    FROM normalize.call_candidates
    GROUP BY node_id
),
lost AS (
    SELECT
        queries.node_id,
        min(CASE meanings.status
            WHEN 'missing' THEN CASE queries.method WHEN 'star_import' THEN 'unknown_name' ELSE 'missing_name' END
            WHEN 'stuck' THEN 'unknown_member'
            WHEN 'module' THEN 'module_called'
            ELSE 'module_variable'
        END) AS reason
    FROM normalize.call_queries AS queries
    JOIN normalize.call_meanings AS meanings
        ON meanings.query_key = concat(queries.role, ':', queries.root, ':', queries.path)
    WHERE meanings.symbol_kind IS NULL OR meanings.symbol_kind NOT IN ('class', 'function', 'external')
    GROUP BY queries.node_id
)
SELECT
    calls.node_id,
    coalesce(found.status, 'unresolved') AS status,
    coalesce(found.method, 'none') AS method,
    coalesce(found.confidence, 0.0) AS confidence,
    CASE WHEN found.node_id IS NULL THEN
        CASE calls.callee_shape
            WHEN 'subscript' THEN 'subscript'
            WHEN 'call' THEN 'call_result'
            WHEN 'lambda' THEN 'lambda'
            WHEN 'other' THEN 'expression'
            ELSE coalesce(
                lost.reason,
                CASE
                    WHEN calls.callee_shape = 'attribute' THEN 'dynamic_attribute'
                    WHEN roots.is_parameter THEN 'parameter'
                    WHEN roots.is_imported THEN 'unresolved_import'
                    WHEN roots.binding_kind = 'module_attribute' THEN 'module_variable'
                    WHEN roots.binding_kind = 'class_attribute' THEN 'class_variable'
                    WHEN roots.binding_id IS NOT NULL THEN 'local_variable'
                    ELSE 'unknown_name'
                END
            )
        END
    END AS reason,
    coalesce(found.candidate_count, CAST(0 AS INT)) AS candidate_count
FROM extract.calls AS calls
LEFT JOIN found ON found.node_id = calls.node_id
LEFT JOIN lost ON lost.node_id = calls.node_id
LEFT JOIN extract.bindings AS roots ON roots.binding_id = calls.root_binding_id
