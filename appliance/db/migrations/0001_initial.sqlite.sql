CREATE TABLE "account" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "address" TEXT NOT NULL,
    "display_name" TEXT NOT NULL,
    "password_hash" TEXT NOT NULL,
    "credential_version" INTEGER NOT NULL,
    "is_admin" INTEGER NOT NULL,
    "is_enabled" INTEGER NOT NULL,
    "quota_bytes" INTEGER NOT NULL,
    "used_bytes" INTEGER NOT NULL,
    "modseq" INTEGER NOT NULL,
    "hierarchy_modseq" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL);

CREATE UNIQUE INDEX "account_address" ON "account" ("address");

CREATE TABLE "address" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "address" TEXT NOT NULL,
    "account_id" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "address_address" ON "address" ("address");

CREATE INDEX "address_account_id" ON "address" ("account_id");

CREATE TABLE "blob" ("digest" BLOB NOT NULL PRIMARY KEY,
    "size" INTEGER NOT NULL,
    "data" BLOB,
    "created_at" INTEGER NOT NULL);

CREATE TABLE "content" ("digest" BLOB NOT NULL PRIMARY KEY,
    "structure" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "is_text_complete" INTEGER NOT NULL);

CREATE TABLE "device" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account_id" INTEGER NOT NULL,
    "device_id" TEXT NOT NULL,
    "device_type" TEXT NOT NULL,
    "user_agent" TEXT NOT NULL,
    "protocol_version" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "friendly_name" TEXT NOT NULL,
    "os" TEXT NOT NULL,
    "os_language" TEXT NOT NULL,
    "imei" TEXT NOT NULL,
    "phone_number" TEXT NOT NULL,
    "mobile_operator" TEXT NOT NULL,
    "is_allowed" INTEGER NOT NULL,
    "policy_key" INTEGER NOT NULL,
    "policy_key_pending" INTEGER NOT NULL,
    "ping_heartbeat_s" INTEGER NOT NULL,
    "ping_folders" TEXT NOT NULL,
    "sync_request" BLOB,
    "first_seen_at" INTEGER NOT NULL,
    "last_seen_at" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE INDEX "device_account_id" ON "device" ("account_id");

CREATE UNIQUE INDEX "device_account_id_device_id" ON "device" ("account_id",
    "device_id");

CREATE TABLE "domain" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL);

CREATE UNIQUE INDEX "domain_name" ON "domain" ("name");

CREATE TABLE "folder" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account_id" INTEGER NOT NULL,
    "parent_id" INTEGER,
    "name" TEXT NOT NULL,
    "type" INTEGER NOT NULL,
    "modseq" INTEGER NOT NULL,
    "created_modseq" INTEGER NOT NULL,
    "changed_by" INTEGER,
    "is_deleted" INTEGER NOT NULL,
    "items_modseq" INTEGER NOT NULL,
    "total" INTEGER NOT NULL,
    "unread" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("parent_id") REFERENCES "folder" ("id"));

CREATE INDEX "folder_account_id" ON "folder" ("account_id");

CREATE INDEX "folder_parent_id" ON "folder" ("parent_id");

CREATE INDEX "folder_account_id_modseq" ON "folder" ("account_id",
    "modseq");

CREATE TABLE "item" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account_id" INTEGER NOT NULL,
    "folder_id" INTEGER NOT NULL,
    "digest" BLOB NOT NULL,
    "size" INTEGER NOT NULL,
    "modseq" INTEGER NOT NULL,
    "created_modseq" INTEGER NOT NULL,
    "content_modseq" INTEGER NOT NULL,
    "read_modseq" INTEGER NOT NULL,
    "flag_modseq" INTEGER NOT NULL,
    "categories_modseq" INTEGER NOT NULL,
    "created_by" INTEGER,
    "changed_by" INTEGER,
    "changed_since" INTEGER NOT NULL,
    "received_at" INTEGER NOT NULL,
    "is_read" INTEGER NOT NULL,
    "flag" TEXT NOT NULL,
    "categories" TEXT NOT NULL,
    "last_verb" INTEGER NOT NULL,
    "last_verb_at" INTEGER,
    "is_draft" INTEGER NOT NULL,
    "subject" TEXT NOT NULL,
    "thread_topic" TEXT NOT NULL,
    "sender_from" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    "reply_to" TEXT NOT NULL,
    "to" TEXT NOT NULL,
    "cc" TEXT NOT NULL,
    "bcc" TEXT NOT NULL,
    "display_to" TEXT NOT NULL,
    "preview" TEXT NOT NULL,
    "importance" INTEGER NOT NULL,
    "message_class" TEXT NOT NULL,
    "native_body_type" INTEGER NOT NULL,
    "internet_cpid" INTEGER NOT NULL,
    "has_attachments" INTEGER NOT NULL,
    "message_id" TEXT NOT NULL,
    "conversation_id" BLOB NOT NULL,
    "conversation_index" BLOB NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("folder_id") REFERENCES "folder" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("digest") REFERENCES "blob" ("digest"));

CREATE INDEX "item_digest" ON "item" ("digest");

CREATE UNIQUE INDEX "item_folder_id_modseq" ON "item" ("folder_id",
    "modseq");

CREATE INDEX "item_folder_id_created_modseq" ON "item" ("folder_id",
    "created_modseq");

CREATE INDEX "item_folder_id_received_at_id" ON "item" ("folder_id",
    "received_at",
    "id");

CREATE INDEX "item_account_id_conversation_id" ON "item" ("account_id",
    "conversation_id");

CREATE INDEX "item_account_id_message_id" ON "item" ("account_id",
    "message_id");

CREATE TABLE "login_failure" ("scope" TEXT NOT NULL PRIMARY KEY,
    "failures" INTEGER NOT NULL,
    "last_secret" BLOB,
    "blocked_until" INTEGER,
    "updated_at" INTEGER NOT NULL);

CREATE TABLE "queue_entry" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account_id" INTEGER,
    "digest" BLOB NOT NULL,
    "reverse_path" TEXT NOT NULL,
    "forward_path" TEXT NOT NULL,
    "domain" TEXT NOT NULL,
    "needs_smtputf8" INTEGER NOT NULL,
    "state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "next_attempt_at" INTEGER NOT NULL,
    "leased_until" INTEGER,
    "lease" TEXT NOT NULL,
    "last_reply" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL,
    "expires_at" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE SET NULL,
    FOREIGN KEY ("digest") REFERENCES "blob" ("digest"));

CREATE INDEX "queue_entry_digest" ON "queue_entry" ("digest");

CREATE INDEX "queue_entry_state_next_attempt_at" ON "queue_entry" ("state",
    "next_attempt_at");

CREATE TABLE "sent_client_id" ("device_id" INTEGER NOT NULL,
    "client_id" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL,
    PRIMARY KEY ("device_id",
    "client_id"),
    FOREIGN KEY ("device_id") REFERENCES "device" ("id") ON DELETE CASCADE);

CREATE INDEX "sent_client_id_created_at" ON "sent_client_id" ("created_at");

CREATE TABLE "setting" ("key" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL);

CREATE TABLE "sync_state" ("device_id" INTEGER NOT NULL,
    "folder" INTEGER NOT NULL,
    "generation" TEXT NOT NULL,
    "current" INTEGER NOT NULL,
    "previous" INTEGER,
    "cursor" TEXT NOT NULL,
    "previous_cursor" TEXT NOT NULL,
    "request_digest" BLOB,
    "answer" BLOB,
    "applied_digest" BLOB,
    "applied_responses" TEXT NOT NULL,
    "client_ids" TEXT NOT NULL,
    "options" TEXT NOT NULL,
    "supported" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("device_id",
    "folder"),
    FOREIGN KEY ("device_id") REFERENCES "device" ("id") ON DELETE CASCADE);

CREATE TABLE "tombstone" ("id" INTEGER NOT NULL PRIMARY KEY,
    "account_id" INTEGER NOT NULL,
    "folder_id" INTEGER NOT NULL,
    "modseq" INTEGER NOT NULL,
    "created_modseq" INTEGER NOT NULL,
    "received_at" INTEGER NOT NULL,
    "changed_by" INTEGER,
    "moved_to" INTEGER,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("folder_id") REFERENCES "folder" ("id") ON DELETE CASCADE);

CREATE INDEX "tombstone_folder_id_modseq" ON "tombstone" ("folder_id",
    "modseq");

