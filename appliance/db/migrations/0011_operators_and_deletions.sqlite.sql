ALTER TABLE "device" ADD COLUMN "wipe_due_at" INTEGER;

CREATE TABLE "audit_entry" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "at" INTEGER NOT NULL,
    "who" TEXT NOT NULL,
    "act" TEXT NOT NULL,
    "arguments" TEXT NOT NULL,
    "outcome" TEXT NOT NULL);

CREATE INDEX "audit_entry_at" ON "audit_entry" ("at");

CREATE TABLE "mass_deletion" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account_id" INTEGER NOT NULL,
    "device" INTEGER NOT NULL,
    "folder_name" TEXT NOT NULL,
    "deleted_at" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE INDEX "mass_deletion_account_id" ON "mass_deletion" ("account_id");

CREATE INDEX "mass_deletion_deleted_at" ON "mass_deletion" ("deleted_at");

CREATE TABLE "deleted_item" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "deletion_id" INTEGER NOT NULL,
    "folder" INTEGER NOT NULL,
    "item" INTEGER NOT NULL,
    "digest" BLOB NOT NULL,
    "received_at" INTEGER NOT NULL,
    "is_read" INTEGER NOT NULL,
    "flag" TEXT NOT NULL,
    "categories" TEXT NOT NULL,
    FOREIGN KEY ("deletion_id") REFERENCES "mass_deletion" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("digest") REFERENCES "blob" ("digest"));

CREATE INDEX "deleted_item_deletion_id" ON "deleted_item" ("deletion_id");

CREATE INDEX "deleted_item_digest" ON "deleted_item" ("digest");
