{{ vitally.nps_responses_of("account", "target is null or target <> 'organization'") }}
