-- Everything outside of the tree that something in it names. No symbol of the tree has its id.
SELECT named.symbol_id, same_name(named.qualified_name, symbols.qualified_name) AS qualified_name
FROM (
    SELECT symbol_id, same_name(min(qualified_name), max(qualified_name)) AS qualified_name
    FROM (
        SELECT symbol_id, qualified_name FROM normalize.resolved_imports WHERE symbol_kind = 'external'
        UNION ALL
        SELECT base_id, base_name FROM normalize.resolved_bases WHERE base_kind = 'external'
        UNION ALL
        SELECT symbol_id, qualified_name FROM normalize.call_candidates WHERE symbol_kind = 'external'
    ) AS mentioned
    GROUP BY symbol_id
) AS named
LEFT JOIN normalize.symbols AS symbols ON symbols.symbol_id = named.symbol_id
