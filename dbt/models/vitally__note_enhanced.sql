select
    notes.note_id,
    notes.external_id,
    notes.subject,
    notes.source,
    notes.created_at,
    notes.updated_at,
    notes.archived_at,
    notes.archived_at is not null as is_archived,
    coalesce(notes.noted_at, notes.created_at) as noted_at,
    notes.account_id,
    accounts.name as account_name,
    coalesce(notes.organization_id, accounts.organization_id) as organization_id,
    organizations.name as organization_name,
    notes.author_id,
    authors.name as author_name,
    notes.note_category_id,
    categories.name as note_category_name,
    length(notes.body) as body_length,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    notes.source_relation
{{ vitally.added_columns_of("notes") }}
from {{ ref("stg_vitally__notes") }} as notes
{{ vitally.left_join("notes.account_id", "accounts.account_id", ref("stg_vitally__accounts")) }}
left join {{ ref("stg_vitally__organizations") }} as organizations
    on
        notes.source_relation = organizations.source_relation
        and coalesce(notes.organization_id, accounts.organization_id) = organizations.organization_id
{{ vitally.left_join("notes.author_id", "authors.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("notes.note_category_id", "categories.note_category_id", ref("stg_vitally__note_categories")) }}
{{ vitally.join_deleted("notes", "notes.note_id") }}
