{{ vitally.nps_responses_of("organization", "target = 'organization'") }}
