UPDATE "account" SET "quota_bytes" = -1 WHERE "quota_bytes" = 0;
ALTER TABLE "folder" ADD COLUMN "pruned_modseq" INTEGER NOT NULL DEFAULT 0;

CREATE TABLE "job" ("name" TEXT NOT NULL PRIMARY KEY,
    "due_at" INTEGER NOT NULL,
    "lease" TEXT NOT NULL,
    "leased_until" INTEGER,
    "started_at" INTEGER,
    "ended_at" INTEGER,
    "done" INTEGER NOT NULL,
    "error" TEXT NOT NULL,
    "failures" INTEGER NOT NULL);

CREATE TABLE "modseq_mark" ("account_id" INTEGER NOT NULL,
    "taken_at" INTEGER NOT NULL,
    "modseq" INTEGER NOT NULL,
    PRIMARY KEY ("account_id",
    "taken_at"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);
