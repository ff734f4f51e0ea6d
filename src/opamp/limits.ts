/** Largest message either side accepts or sends unless set otherwise: 64 MiB (AW4, AH8, SW2, SH3). */
export const defaultMaxMessageBytes = 64 * 1024 * 1024;

/** Time between heartbeats, or polls over plain HTTP, unless set or offered otherwise (AW11, AH6). */
export const defaultHeartbeatIntervalMs = 30_000;

/** Path and port that the specification names (AT2). */
export const defaultOpampPath = "/v1/opamp";
export const defaultOpampPort = 4320;
