{{ vitally.nps_of("organization") }}
