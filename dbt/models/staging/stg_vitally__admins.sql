{{
    vitally.staged("admins", [
        ("id", "text", "admin_id"),
        ("name", "text", "name"),
        ("email", "text", "email"),
        ("licenseStatus", "text", "license_status"),
    ])
}}
