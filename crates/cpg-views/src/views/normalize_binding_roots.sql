-- What a binding may mean: something that is imported (a module and a path in it), or a definition by its qualified name.
SELECT DISTINCT binding_id, origin, root, path
FROM (
    SELECT
        binding_id,
        'import' AS origin,
        CASE
            WHEN import_kind = 'from' OR asname IS NOT NULL THEN target_module
            ELSE split_part(target_module, '.', 1)
        END AS root,
        CASE WHEN import_kind = 'from' THEN imported_name END AS path
    FROM extract.imports
    WHERE binding_id IS NOT NULL AND target_module IS NOT NULL AND NOT is_star
    UNION ALL
    SELECT binding_id, 'definition', qualified_name, NULL
    FROM extract.definitions
    WHERE binding_id IS NOT NULL
) AS roots
