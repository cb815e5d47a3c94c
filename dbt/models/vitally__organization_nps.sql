{{ vitally.nps_of("organization", "int_vitally__organization_nps_responses", "organizations_of_response") }}
