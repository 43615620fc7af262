ALTER TABLE "tombstone" ADD COLUMN "created_by" INTEGER;
