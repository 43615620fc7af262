ALTER TABLE "device" ADD COLUMN "wipe_due_at" BIGINT;

CREATE TABLE "audit_entry" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "at" BIGINT NOT NULL,
    "who" TEXT NOT NULL,
    "act" TEXT NOT NULL,
    "arguments" TEXT NOT NULL,
    "outcome" TEXT NOT NULL);

CREATE INDEX "audit_entry_at" ON "audit_entry" ("at");

CREATE TABLE "mass_deletion" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "account_id" BIGINT NOT NULL,
    "device" BIGINT NOT NULL,
    "folder_name" TEXT NOT NULL,
    "deleted_at" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE INDEX "mass_deletion_account_id" ON "mass_deletion" ("account_id");

CREATE INDEX "mass_deletion_deleted_at" ON "mass_deletion" ("deleted_at");

CREATE TABLE "deleted_item" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "deletion_id" BIGINT NOT NULL,
    "folder" BIGINT NOT NULL,
    "item" BIGINT NOT NULL,
    "digest" BYTEA NOT NULL,
    "received_at" BIGINT NOT NULL,
    "is_read" BOOLEAN NOT NULL,
    "flag" TEXT NOT NULL,
    "categories" TEXT NOT NULL,
    FOREIGN KEY ("deletion_id") REFERENCES "mass_deletion" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("digest") REFERENCES "blob" ("digest"));

CREATE INDEX "deleted_item_deletion_id" ON "deleted_item" ("deletion_id");

CREATE INDEX "deleted_item_digest" ON "deleted_item" ("digest");
