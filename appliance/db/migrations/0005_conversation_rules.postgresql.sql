CREATE TABLE "conversation_rule" ("account_id" BIGINT NOT NULL,
    "conversation_id" BYTEA NOT NULL,
    "folder_id" BIGINT NOT NULL,
    PRIMARY KEY ("account_id",
    "conversation_id"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("folder_id") REFERENCES "folder" ("id") ON DELETE CASCADE);

CREATE INDEX "conversation_rule_folder_id" ON "conversation_rule" ("folder_id");

