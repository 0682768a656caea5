-- The properties of each entity as one map with sorted keys.
SELECT
    entity_kind,
    entity_id,
    sorted_map(prop_key, named_struct(
        'value_type', value_type,
        'value_string', value_string,
        'value_int', value_int,
        'value_float', value_float,
        'value_bool', value_bool
    )) AS props
FROM cpg.cpg_props
GROUP BY entity_kind, entity_id
