{{ vitally.nps_of("account") }}
