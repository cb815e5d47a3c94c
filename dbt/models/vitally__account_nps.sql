{{ vitally.nps_of("account", "int_vitally__account_nps_responses", "accounts_of_response") }}
