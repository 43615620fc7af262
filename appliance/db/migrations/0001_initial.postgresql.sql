CREATE TABLE "account" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "address" TEXT NOT NULL,
    "display_name" TEXT NOT NULL,
    "password_hash" TEXT NOT NULL,
    "credential_version" INTEGER NOT NULL,
    "is_admin" BOOLEAN NOT NULL,
    "is_enabled" BOOLEAN NOT NULL,
    "quota_bytes" BIGINT NOT NULL,
    "used_bytes" BIGINT NOT NULL,
    "modseq" BIGINT NOT NULL,
    "hierarchy_modseq" BIGINT NOT NULL,
    "created_at" BIGINT NOT NULL);

CREATE UNIQUE INDEX "account_address" ON "account" ("address");

CREATE TABLE "address" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "address" TEXT NOT NULL,
    "account_id" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "address_address" ON "address" ("address");

CREATE INDEX "address_account_id" ON "address" ("account_id");

CREATE TABLE "blob" ("digest" BYTEA NOT NULL PRIMARY KEY,
    "size" BIGINT NOT NULL,
    "data" BYTEA,
    "created_at" BIGINT NOT NULL);

CREATE TABLE "content" ("digest" BYTEA NOT NULL PRIMARY KEY,
    "structure" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "is_text_complete" BOOLEAN NOT NULL);

CREATE TABLE "device" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "account_id" BIGINT NOT NULL,
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
    "is_allowed" BOOLEAN NOT NULL,
    "policy_key" BIGINT NOT NULL,
    "policy_key_pending" BIGINT NOT NULL,
    "ping_heartbeat_s" INTEGER NOT NULL,
    "ping_folders" TEXT NOT NULL,
    "sync_request" BYTEA,
    "first_seen_at" BIGINT NOT NULL,
    "last_seen_at" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE INDEX "device_account_id" ON "device" ("account_id");

CREATE UNIQUE INDEX "device_account_id_device_id" ON "device" ("account_id",
    "device_id");

CREATE TABLE "domain" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL);

CREATE UNIQUE INDEX "domain_name" ON "domain" ("name");

CREATE TABLE "folder" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "account_id" BIGINT NOT NULL,
    "parent_id" BIGINT,
    "name" TEXT NOT NULL,
    "type" SMALLINT NOT NULL,
    "modseq" BIGINT NOT NULL,
    "created_modseq" BIGINT NOT NULL,
    "changed_by" BIGINT,
    "is_deleted" BOOLEAN NOT NULL,
    "items_modseq" BIGINT NOT NULL,
    "total" INTEGER NOT NULL,
    "unread" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("parent_id") REFERENCES "folder" ("id"));

CREATE INDEX "folder_account_id" ON "folder" ("account_id");

CREATE INDEX "folder_parent_id" ON "folder" ("parent_id");

CREATE INDEX "folder_account_id_modseq" ON "folder" ("account_id",
    "modseq");

CREATE TABLE "item" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "account_id" BIGINT NOT NULL,
    "folder_id" BIGINT NOT NULL,
    "digest" BYTEA NOT NULL,
    "size" BIGINT NOT NULL,
    "modseq" BIGINT NOT NULL,
    "created_modseq" BIGINT NOT NULL,
    "content_modseq" BIGINT NOT NULL,
    "read_modseq" BIGINT NOT NULL,
    "flag_modseq" BIGINT NOT NULL,
    "categories_modseq" BIGINT NOT NULL,
    "created_by" BIGINT,
    "changed_by" BIGINT,
    "changed_since" BIGINT NOT NULL,
    "received_at" BIGINT NOT NULL,
    "is_read" BOOLEAN NOT NULL,
    "flag" TEXT NOT NULL,
    "categories" TEXT NOT NULL,
    "last_verb" SMALLINT NOT NULL,
    "last_verb_at" BIGINT,
    "is_draft" BOOLEAN NOT NULL,
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
    "importance" SMALLINT NOT NULL,
    "message_class" TEXT NOT NULL,
    "native_body_type" SMALLINT NOT NULL,
    "internet_cpid" INTEGER NOT NULL,
    "has_attachments" BOOLEAN NOT NULL,
    "message_id" TEXT NOT NULL,
    "conversation_id" BYTEA NOT NULL,
    "conversation_index" BYTEA NOT NULL,
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
    "last_secret" BYTEA,
    "blocked_until" BIGINT,
    "updated_at" BIGINT NOT NULL);

CREATE TABLE "queue_entry" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "account_id" BIGINT,
    "digest" BYTEA NOT NULL,
    "reverse_path" TEXT NOT NULL,
    "forward_path" TEXT NOT NULL,
    "domain" TEXT NOT NULL,
    "needs_smtputf8" BOOLEAN NOT NULL,
    "state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "next_attempt_at" BIGINT NOT NULL,
    "leased_until" BIGINT,
    "lease" TEXT NOT NULL,
    "last_reply" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "expires_at" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE SET NULL,
    FOREIGN KEY ("digest") REFERENCES "blob" ("digest"));

CREATE INDEX "queue_entry_digest" ON "queue_entry" ("digest");

CREATE INDEX "queue_entry_state_next_attempt_at" ON "queue_entry" ("state",
    "next_attempt_at");

CREATE TABLE "sent_client_id" ("device_id" BIGINT NOT NULL,
    "client_id" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("device_id",
    "client_id"),
    FOREIGN KEY ("device_id") REFERENCES "device" ("id") ON DELETE CASCADE);

CREATE INDEX "sent_client_id_created_at" ON "sent_client_id" ("created_at");

CREATE TABLE "setting" ("key" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL);

CREATE TABLE "sync_state" ("device_id" BIGINT NOT NULL,
    "folder" BIGINT NOT NULL,
    "generation" TEXT NOT NULL,
    "current" INTEGER NOT NULL,
    "previous" INTEGER,
    "cursor" TEXT NOT NULL,
    "previous_cursor" TEXT NOT NULL,
    "request_digest" BYTEA,
    "answer" BYTEA,
    "applied_digest" BYTEA,
    "applied_responses" TEXT NOT NULL,
    "client_ids" TEXT NOT NULL,
    "options" TEXT NOT NULL,
    "supported" TEXT NOT NULL,
    "revision" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("device_id",
    "folder"),
    FOREIGN KEY ("device_id") REFERENCES "device" ("id") ON DELETE CASCADE);

CREATE TABLE "tombstone" ("id" BIGINT NOT NULL PRIMARY KEY,
    "account_id" BIGINT NOT NULL,
    "folder_id" BIGINT NOT NULL,
    "modseq" BIGINT NOT NULL,
    "created_modseq" BIGINT NOT NULL,
    "received_at" BIGINT NOT NULL,
    "changed_by" BIGINT,
    "moved_to" BIGINT,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("folder_id") REFERENCES "folder" ("id") ON DELETE CASCADE);

CREATE INDEX "tombstone_folder_id_modseq" ON "tombstone" ("folder_id",
    "modseq");

