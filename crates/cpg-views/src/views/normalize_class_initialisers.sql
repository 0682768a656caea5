-- The `__init__` that a call of a class runs: the first in its resolution order.
SELECT class_id, symbol_id
FROM (
    SELECT
        mro.class_id,
        functions.symbol_id,
        row_number() OVER (PARTITION BY mro.class_id ORDER BY mro.position, functions.symbol_id) AS place
    FROM normalize.class_mro AS mro
    JOIN normalize.targets AS functions
        ON functions.qualified_name = concat(mro.ancestor_name, '.__init__')
    WHERE functions.symbol_kind = 'function'
) AS initialisers
WHERE place = 1
