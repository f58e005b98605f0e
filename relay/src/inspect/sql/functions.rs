//! The server's own functions: a reviewed list of those that reach nothing but their arguments and the catalog.
//!
//! Volatility is no guide: `database_to_xml` is stable and reads every table, `random` is volatile and harmless. Left out on
//! purpose, and so `sql:call`: whatever takes a query or a table's name as text (`query_to_xml`, `table_to_xml`, `cursor_to_xml`,
//! `ts_stat`, two-argument `ts_rewrite`), binary upgrade support, and the functions behind operators, index methods and types,
//! which nobody calls by name. Reviewed against PostgreSQL 14 to 18.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::policy::SqlAction;

/// What calling a built-in function amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    /// Nothing but its result.
    Harmless,
    /// The same, but the number of its rows depends on its arguments.
    Rows,
    /// The work of a statement.
    Does(SqlAction),
    /// `set_config`.
    SetConfig,
    /// `nextval`, `setval`: writes the sequence that its first argument names.
    Sequence,
    /// `ts_rewrite`: harmless with three arguments; with two, the second is a query.
    Rewrite,
    /// `count`: of what it counts only the NULLs show.
    Count,
}

/// What the built-in function of that name is; `None`: not reviewed.
pub(super) fn builtin(name: &str) -> Option<Builtin> {
    BUILTINS.get(name).copied()
}

/// Functions of `information_schema` that its views and drivers use.
pub(super) fn information_schema(name: &str) -> bool {
    name.starts_with("_pg_")
}

static BUILTINS: LazyLock<HashMap<&'static str, Builtin>> = LazyLock::new(|| {
    let mut map = HashMap::new();
    for (names, class) in [
        (HARMLESS, Builtin::Harmless),
        (ROWS, Builtin::Rows),
        (LOCK, Builtin::Does(SqlAction::Lock)),
        (NOTIFY, Builtin::Does(SqlAction::Notify)),
        (MAINTENANCE, Builtin::Does(SqlAction::Maintenance)),
        (SYSTEM, Builtin::Does(SqlAction::System)),
        (REPLICATION, Builtin::Does(SqlAction::Replication)),
        (FILES, Builtin::Does(SqlAction::ServerFile)),
        (DATA, Builtin::Does(SqlAction::ServerData)),
    ] {
        map.extend(names.split_ascii_whitespace().map(|name| (name, class)));
    }
    map.insert("set_config", Builtin::SetConfig);
    map.insert("nextval", Builtin::Sequence);
    map.insert("setval", Builtin::Sequence);
    map.insert("ts_rewrite", Builtin::Rewrite);
    map.insert("count", Builtin::Count);
    map
});

const HARMLESS: &str = "
 abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot cotd degrees div erf erfc
 exp factorial floor gamma gcd lcm lgamma ln log log10 min_scale mod pi pow power radians random random_normal round scale setseed
 sign sin sind sinh sqrt tan tand tanh trim_scale trunc width_bucket
 ascii bit_length btrim casefold char_length character_length chr concat concat_ws convert convert_from convert_to crc32 crc32c
 decode encode format initcap is_normalized left length like like_escape lower lpad ltrim md5 normalize notlike octet_length overlay
 parse_ident position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like regexp_match regexp_replace
 regexp_split_to_array regexp_substr repeat replace reverse right rpad rtrim sha224 sha256 sha384 sha512 similar_escape
 similar_to_escape split_part starts_with string_to_array strpos substr substring text_starts_with to_ascii to_bin to_hex to_oct
 translate unicode_assigned unicode_version icu_unicode_version unistr upper bit_count get_bit get_byte set_bit set_byte
 to_char to_date to_number to_timestamp
 age clock_timestamp date_add date_bin date_part date_subtract date_trunc extract isfinite justify_days justify_hours
 justify_interval make_date make_interval make_time make_timestamp make_timestamptz now overlaps statement_timestamp timeofday
 timezone transaction_timestamp pg_sleep pg_sleep_for pg_sleep_until
 bool bpchar char date float4 float8 int2 int4 int8 interval money name numeric oid regclass text time timestamp timestamptz timetz
 varbit varchar xml bit cidr macaddr macaddr8 jsonb json
 enum_first enum_last enum_range
 area center diameter height isclosed isopen npoints pclose popen radius slope width box circle line lseg path point polygon
 bound_box diagonal abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen
 macaddr8_set7bit
 array_to_tsvector get_current_ts_config numnode phraseto_tsquery plainto_tsquery querytree setweight strip to_tsquery to_tsvector
 json_to_tsvector jsonb_to_tsvector ts_delete ts_filter ts_headline ts_lexize ts_rank ts_rank_cd tsquery_phrase tsvector_to_array
 websearch_to_tsquery
 gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version
 xmlcomment xmlexists xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xpath xpath_exists xmlvalidate
 xmltext xmlconcat2
 array_to_json json_array_length json_build_array json_build_object json_extract_path json_extract_path_text json_object
 json_populate_record json_strip_nulls json_to_record json_typeof json_array_element json_array_element_text json_object_field
 json_object_field_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_concat jsonb_contained jsonb_contains
 jsonb_delete jsonb_delete_path jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_extract_path jsonb_extract_path_text
 jsonb_insert jsonb_object jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query_array
 jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_populate_record jsonb_populate_record_valid
 jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_typeof row_to_json to_json to_jsonb
 jsonb_array_element jsonb_array_element_text jsonb_object_field jsonb_object_field_text
 array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions array_prepend
 array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_string array_upper cardinality trim_array
 isempty lower_inc lower_inf upper_inc upper_inf range_merge multirange int4range int8range numrange tsrange tstzrange daterange
 int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange
 any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or every json_agg json_agg_strict json_object_agg
 json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg
 jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict max min range_agg range_intersect_agg string_agg
 sum xmlagg corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
 stddev stddev_pop stddev_samp var_pop var_samp variance mode percentile_cont percentile_disc rank dense_rank percent_rank
 cume_dist grouping row_number ntile lag lead first_value last_value nth_value
 num_nonnulls num_nulls
 current_catalog current_database current_query current_role current_schema current_schemas current_setting current_user
 session_user system_user getpgusername getdatabaseencoding inet_client_addr inet_client_port inet_server_addr inet_server_port
 pg_backend_pid pg_client_encoding pg_conf_load_time pg_is_other_temp_schema pg_jit_available pg_my_temp_schema
 pg_notification_queue_usage pg_postmaster_start_time pg_safe_snapshot_blocking_pids pg_blocking_pids pg_trigger_depth version
 pg_is_in_recovery pg_export_snapshot
 acldefault aclcontains makeaclitem has_any_column_privilege has_column_privilege has_database_privilege
 has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege has_largeobject_privilege
 has_parameter_privilege has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege
 has_tablespace_privilege has_type_privilege pg_has_role pg_get_acl row_security_active
 pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible pg_opclass_is_visible pg_operator_is_visible
 pg_opfamily_is_visible pg_statistics_obj_is_visible pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible
 pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible
 format_type pg_basetype pg_char_to_encoding pg_encoding_to_char pg_encoding_max_length pg_get_constraintdef pg_get_expr
 pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
 pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef pg_get_partition_constraintdef pg_get_partkeydef pg_get_ruledef
 pg_get_serial_sequence pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions
 pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_get_replica_identity_index pg_index_column_has_property
 pg_index_has_property pg_indexam_has_property pg_options_to_table pg_settings_get_flags pg_tablespace_location pg_typeof
 pg_column_is_updatable pg_relation_is_updatable pg_relation_is_publishable pg_sequence_last_value pg_sequence_parameters
 pg_get_sequence_data pg_partition_root pg_indexam_progress_phasename oidvectortypes satisfies_hash_partition
 to_regclass to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
 to_regtypemod pg_describe_object pg_identify_object pg_identify_object_as_address pg_get_object_address
 col_description obj_description shobj_description
 pg_collation_actual_version pg_collation_for pg_database_collation_actual_version
 pg_column_compression pg_column_size pg_column_toast_chunk_id pg_database_size pg_indexes_size pg_relation_size pg_size_bytes
 pg_size_pretty pg_table_size pg_tablespace_size pg_total_relation_size pg_relation_filenode pg_filenode_relation
 pg_relation_filepath
 currval lastval
 pg_current_snapshot pg_current_xact_id pg_current_xact_id_if_assigned pg_snapshot_xmax pg_snapshot_xmin
 pg_visible_in_snapshot pg_xact_status txid_current txid_current_if_assigned txid_current_snapshot txid_snapshot_xmax
 txid_snapshot_xmin txid_status txid_visible_in_snapshot mxid_age pg_xact_commit_timestamp
 pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_last_wal_receive_lsn pg_last_wal_replay_lsn
 pg_last_xact_replay_timestamp pg_wal_lsn_diff pg_is_wal_replay_paused pg_lsn
 pg_stat_get_numscans pg_stat_get_tuples_returned pg_stat_get_tuples_fetched pg_stat_get_tuples_inserted
 pg_stat_get_tuples_updated pg_stat_get_tuples_deleted pg_stat_get_live_tuples pg_stat_get_dead_tuples pg_stat_get_blocks_fetched
 pg_stat_get_blocks_hit pg_stat_get_last_vacuum_time pg_stat_get_last_autovacuum_time pg_stat_get_last_analyze_time
 pg_stat_get_last_autoanalyze_time pg_stat_clear_snapshot
 hashtext hashtextextended hashint4 hashint8 hash_array hash_record
 int4inc int4pl int8inc int4eq int8eq texteq textcat float8pl numeric_add array_larger array_smaller";

const ROWS: &str = "
 generate_series generate_subscripts unnest regexp_matches regexp_split_to_table string_to_table json_array_elements
 json_array_elements_text json_each json_each_text json_object_keys json_populate_recordset json_to_recordset
 jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_path_query_tz
 jsonb_populate_recordset jsonb_to_recordset aclexplode pg_get_keywords pg_get_catalog_foreign_keys pg_partition_ancestors
 pg_partition_tree pg_snapshot_xip txid_snapshot_xip pg_timezone_abbrevs pg_timezone_abbrevs_zone pg_timezone_names
 pg_available_extensions pg_available_extension_versions pg_extension_update_paths pg_show_all_settings pg_lock_status
 pg_listening_channels pg_get_publication_tables pg_tablespace_databases ts_debug ts_parse ts_token_type pg_cursor
 pg_prepared_statement pg_mcv_list_items pg_get_wait_events";

const LOCK: &str = "
 pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
 pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock
 pg_try_advisory_xact_lock_shared";

const NOTIFY: &str = "pg_notify";

const MAINTENANCE: &str = "
 brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list pg_stat_reset
 pg_stat_reset_backend_stats pg_stat_reset_replication_slot pg_stat_reset_shared pg_stat_reset_single_function_counters
 pg_stat_reset_single_table_counters pg_stat_reset_slru pg_stat_reset_subscription_stats pg_stat_force_next_flush
 pg_import_system_collations pg_restore_relation_stats pg_restore_attribute_stats pg_clear_relation_stats
 pg_clear_attribute_stats";

const SYSTEM: &str = "
 pg_cancel_backend pg_terminate_backend pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old pg_promote pg_switch_wal
 pg_create_restore_point pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup pg_wal_replay_pause pg_wal_replay_resume
 pg_log_backend_memory_contexts pg_log_standby_snapshot pg_stop_making_pinned_objects pg_nextoid";

const REPLICATION: &str = "
 pg_create_logical_replication_slot pg_create_physical_replication_slot pg_copy_logical_replication_slot
 pg_copy_physical_replication_slot pg_drop_replication_slot pg_replication_slot_advance pg_sync_replication_slots
 pg_logical_emit_message pg_logical_slot_get_binary_changes pg_logical_slot_get_changes pg_logical_slot_peek_binary_changes
 pg_logical_slot_peek_changes pg_replication_origin_advance pg_replication_origin_create pg_replication_origin_drop
 pg_replication_origin_oid pg_replication_origin_progress pg_replication_origin_session_is_setup
 pg_replication_origin_session_progress pg_replication_origin_session_reset pg_replication_origin_session_setup
 pg_replication_origin_xact_reset pg_replication_origin_xact_setup pg_show_replication_origin_status pg_get_replication_slots";

const FILES: &str = "
 pg_read_file pg_read_binary_file pg_read_file_old pg_stat_file pg_ls_dir pg_ls_archive_statusdir pg_ls_logdir pg_ls_logicalmapdir
 pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir pg_ls_tmpdir pg_ls_waldir pg_current_logfile pg_hba_file_rules
 pg_ident_file_mappings pg_show_all_file_settings pg_config lo_import lo_export";

const DATA: &str = "
 lo_close lo_creat lo_create lo_from_bytea lo_get lo_lseek lo_lseek64 lo_open lo_put lo_tell lo_tell64 lo_truncate lo_truncate64
 lo_unlink loread lowrite pg_prepared_xact pg_stat_get_activity pg_stat_get_backend_activity pg_stat_get_backend_activity_start
 pg_stat_get_backend_client_addr pg_stat_get_backend_client_port pg_stat_get_backend_dbid pg_stat_get_backend_idset
 pg_stat_get_backend_pid pg_stat_get_backend_start pg_stat_get_backend_userid pg_stat_get_backend_wait_event
 pg_stat_get_backend_wait_event_type pg_stat_get_backend_xact_start pg_stat_get_backend_subxact pg_stat_get_progress_info
 pg_stat_get_subscription pg_stat_get_wal_receiver pg_stat_get_wal_senders pg_get_backend_memory_contexts
 pg_get_shmem_allocations";

/// What reading a relation of `pg_catalog` or `information_schema` amounts to.
pub(super) fn system_relation(schema: &str, name: &str) -> SqlAction {
    match schema {
        // Options of user mappings hold passwords.
        "information_schema" if !name.contains("user_mapping") => SqlAction::Catalog,
        "pg_catalog" if CATALOG_RELATIONS.split_ascii_whitespace().any(|known| known == name) => SqlAction::Catalog,
        _ => SqlAction::ServerData,
    }
}

/// Columns that hold secrets in relations that are harmless otherwise.
pub(super) fn is_secret_column(relation: &str, column: &str) -> bool {
    matches!((relation, column), ("pg_subscription", "subconninfo"))
}

const CATALOG_RELATIONS: &str = "
 pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions
 pg_available_extensions pg_cast pg_class pg_collation pg_constraint pg_conversion pg_cursors pg_database pg_default_acl pg_depend
 pg_description pg_enum pg_event_trigger pg_extension pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_group pg_index
 pg_indexes pg_inherits pg_init_privs pg_language pg_largeobject_metadata pg_locks pg_matviews pg_namespace pg_opclass
 pg_operator pg_opfamily pg_parameter_acl pg_partitioned_table pg_policies pg_policy pg_prepared_statements pg_proc
 pg_publication pg_publication_namespace pg_publication_rel pg_publication_tables pg_range pg_rewrite pg_roles pg_rules
 pg_seclabel pg_seclabels pg_sequence pg_sequences pg_settings pg_shdepend pg_shdescription pg_shseclabel pg_stat_all_indexes
 pg_stat_all_tables pg_stat_archiver pg_stat_bgwriter pg_stat_checkpointer pg_stat_database pg_stat_database_conflicts pg_stat_io
 pg_stat_slru pg_stat_sys_indexes pg_stat_sys_tables pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables pg_stat_wal
 pg_stat_xact_all_tables pg_stat_xact_sys_tables pg_stat_xact_user_functions pg_stat_xact_user_tables pg_statio_all_indexes
 pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_indexes pg_statio_sys_sequences pg_statio_sys_tables
 pg_statio_user_indexes pg_statio_user_sequences pg_statio_user_tables pg_statistic_ext pg_subscription pg_subscription_rel
 pg_tables pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict
 pg_ts_parser pg_ts_template pg_type pg_user pg_views pg_wait_events";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_further_is_not_harmless() {
        for name in [
            "query_to_xml",
            "table_to_xml",
            "schema_to_xml",
            "database_to_xml",
            "cursor_to_xml",
            "ts_stat",
            "lo_import",
            "pg_read_file",
            "pg_ls_dir",
            "pg_terminate_backend",
            "pg_stat_get_activity",
            "pg_logical_slot_get_changes",
            "nextval",
            "setval",
            "set_config",
            "pg_notify",
            "pg_advisory_lock",
            "lo_get",
            "pg_stat_file",
            "pg_reload_conf",
            "dblink",
            "currtid2",
            "binary_upgrade_set_next_pg_authid_oid",
            "pg_create_logical_replication_slot",
            "pg_get_multixact_members",
        ] {
            assert!(
                !matches!(builtin(name), Some(Builtin::Harmless | Builtin::Rows)),
                "{name}"
            );
        }
    }

    #[test]
    fn no_name_is_classified_twice() {
        let lists = [
            HARMLESS,
            ROWS,
            LOCK,
            NOTIFY,
            MAINTENANCE,
            SYSTEM,
            REPLICATION,
            FILES,
            DATA,
        ];
        let mut seen = std::collections::HashSet::new();
        for name in lists.iter().flat_map(|list| list.split_ascii_whitespace()) {
            assert!(seen.insert(name), "{name}");
        }
    }

    #[test]
    fn catalogs_with_values_of_others_are_data() {
        for name in [
            "pg_authid",
            "pg_shadow",
            "pg_stats",
            "pg_statistic",
            "pg_stat_activity",
            "pg_largeobject",
            "pg_user_mapping",
            "pg_hba_file_rules",
            "pg_new_thing",
        ] {
            assert_eq!(system_relation("pg_catalog", name), SqlAction::ServerData, "{name}");
        }
        assert_eq!(system_relation("pg_catalog", "pg_class"), SqlAction::Catalog);
        assert_eq!(system_relation("information_schema", "tables"), SqlAction::Catalog);
        assert_eq!(
            system_relation("information_schema", "user_mapping_options"),
            SqlAction::ServerData
        );
    }
}
