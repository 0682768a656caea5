-- Everything outside of the tree that something in it names.
SELECT DISTINCT symbol_id, qualified_name
FROM (
    SELECT symbol_id, qualified_name FROM normalize.resolved_imports WHERE symbol_kind = 'external'
    UNION ALL
    SELECT base_id, base_name FROM normalize.resolved_bases WHERE base_kind = 'external'
    UNION ALL
    SELECT symbol_id, qualified_name FROM normalize.call_candidates WHERE symbol_kind = 'external'
) AS named
