-- The symbols that a name in a program may mean. Overloads stand aside where there is an implementation.
SELECT
    symbol_id,
    symbol_kind,
    qualified_name,
    CASE symbol_kind WHEN 'module' THEN 'module' WHEN 'class' THEN 'class' ELSE 'name' END AS status
FROM normalize.symbols
WHERE symbol_kind <> 'parameter' AND NOT is_overload
UNION ALL
SELECT overloads.symbol_id, overloads.symbol_kind, overloads.qualified_name, 'name'
FROM normalize.symbols AS overloads
LEFT ANTI JOIN (
    SELECT qualified_name FROM normalize.symbols WHERE symbol_kind = 'function' AND NOT is_overload
) AS implementations ON implementations.qualified_name = overloads.qualified_name
WHERE overloads.is_overload
