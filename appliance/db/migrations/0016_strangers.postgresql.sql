CREATE TABLE "greylisted" ("key" BYTEA NOT NULL PRIMARY KEY,
    "network" TEXT NOT NULL,
    "first_seen_at" BIGINT NOT NULL,
    "passed_at" BIGINT);
CREATE INDEX "greylisted_network_passed_at" ON "greylisted" ("network",
    "passed_at");
CREATE INDEX "greylisted_first_seen_at" ON "greylisted" ("first_seen_at");
CREATE TABLE "junk_lesson" ("digest" BYTEA NOT NULL PRIMARY KEY,
    "is_junk" BOOLEAN NOT NULL,
    "noted_at" BIGINT NOT NULL);
