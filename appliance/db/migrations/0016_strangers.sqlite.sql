CREATE TABLE "greylisted" ("key" BLOB NOT NULL PRIMARY KEY,
    "network" TEXT NOT NULL,
    "first_seen_at" INTEGER NOT NULL,
    "passed_at" INTEGER);
CREATE INDEX "greylisted_network_passed_at" ON "greylisted" ("network",
    "passed_at");
CREATE INDEX "greylisted_first_seen_at" ON "greylisted" ("first_seen_at");
CREATE TABLE "junk_lesson" ("digest" BLOB NOT NULL PRIMARY KEY,
    "is_junk" INTEGER NOT NULL,
    "noted_at" INTEGER NOT NULL);
