CREATE TABLE "conversation_rule" ("account_id" INTEGER NOT NULL,
    "conversation_id" BLOB NOT NULL,
    "folder_id" INTEGER NOT NULL,
    PRIMARY KEY ("account_id",
    "conversation_id"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE,
    FOREIGN KEY ("folder_id") REFERENCES "folder" ("id") ON DELETE CASCADE);

CREATE INDEX "conversation_rule_folder_id" ON "conversation_rule" ("folder_id");

