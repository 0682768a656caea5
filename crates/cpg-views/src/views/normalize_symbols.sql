-- Everything in the tree that has a name of its own. One symbol may be declared in several places, under one name.
SELECT
    symbol_id,
    split_part(
        same_name(
            concat(min(symbol_kind), ' ', min(qualified_name)),
            concat(max(symbol_kind), ' ', max(qualified_name))
        ),
        ' ',
        1
    ) AS symbol_kind,
    min(name) AS name,
    min(qualified_name) AS qualified_name,
    bool_and(is_overload) AS is_overload,
    CAST(count(*) AS INT) AS declaration_count
FROM (
    SELECT
        symbol_id,
        CASE definition_kind WHEN 'module' THEN 'module' WHEN 'class' THEN 'class' ELSE 'function' END AS symbol_kind,
        name,
        qualified_name,
        is_overload
    FROM extract.definitions
    UNION ALL
    SELECT symbol_id, 'parameter', name, qualified_name, FALSE FROM extract.parameters
    UNION ALL
    SELECT symbol_id, 'attribute', name, qualified_name, FALSE
    FROM extract.bindings
    WHERE symbol_id IS NOT NULL AND NOT is_parameter AND NOT is_imported
        AND symbol_id NOT IN (SELECT symbol_id FROM extract.definitions)
) AS declared
GROUP BY symbol_id
