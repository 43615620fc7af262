UPDATE "account" SET "quota_bytes" = -1 WHERE "quota_bytes" = 0;
ALTER TABLE "folder" ADD COLUMN "pruned_modseq" BIGINT NOT NULL DEFAULT 0;

CREATE TABLE "job" ("name" TEXT NOT NULL PRIMARY KEY,
    "due_at" BIGINT NOT NULL,
    "lease" TEXT NOT NULL,
    "leased_until" BIGINT,
    "started_at" BIGINT,
    "ended_at" BIGINT,
    "done" BIGINT NOT NULL,
    "error" TEXT NOT NULL,
    "failures" INTEGER NOT NULL);

CREATE TABLE "modseq_mark" ("account_id" BIGINT NOT NULL,
    "taken_at" BIGINT NOT NULL,
    "modseq" BIGINT NOT NULL,
    PRIMARY KEY ("account_id",
    "taken_at"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);
