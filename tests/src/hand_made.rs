//! Tables as others write them: the log and the files by hand.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::Failure;

/// A table in a folder, of which every file is written by hand.
#[derive(Debug)]
pub struct HandMade {
    folder: PathBuf,
    versions: u64,
}

impl HandMade {
    /// A folder with an empty log.
    pub fn try_new(folder: impl Into<PathBuf>) -> Result<Self, Failure> {
        let folder = folder.into();
        std::fs::create_dir_all(folder.join("_delta_log"))?;
        Ok(Self {
            folder,
            versions: 0,
        })
    }

    /// The table's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the next commit.
    pub fn commit(&mut self, actions: &[Value]) -> Result<(), Failure> {
        let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
        let name = format!("_delta_log/{:020}.json", self.versions);
        std::fs::write(self.folder.join(name), lines.join("\n"))?;
        self.versions += 1;
        Ok(())
    }

    /// Writes a Parquet file, and returns the action that adds it: `partition` beside its columns.
    ///
    /// `path` is the file's name in the folder, and its path in the log where nothing has to be escaped.
    pub fn add(&self, path: &str, rows: &RecordBatch, partition: &Value) -> Result<Value, Failure> {
        let file = self.folder.join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut writer = ArrowWriter::try_new(File::create(&file)?, rows.schema(), None)?;
        writer.write(rows)?;
        writer.close()?;
        Ok(json!({"add": {
            "path": path,
            "partitionValues": partition,
            "size": file.metadata()?.len(),
            "modificationTime": 0,
            "dataChange": true,
        }}))
    }
}

impl HandMade {
    /// The action that describes a table: its fields as the log spells them.
    pub fn metadata(fields: &Value, partition: &[&str], properties: &Value) -> Value {
        let schema = json!({"type": "struct", "fields": fields});
        json!({"metaData": {
            "id": "hand-made",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema.to_string(),
            "partitionColumns": partition,
            "configuration": properties,
            "createdTime": 0,
        }})
    }

    /// A field in the log.
    pub fn field(name: &str, data_type: &str, nullable: bool, metadata: &Value) -> Value {
        json!({"name": name, "type": data_type, "nullable": nullable, "metadata": metadata})
    }

    /// The action that demands versions, which list no features.
    pub fn versions(reader: u32, writer: u32) -> Value {
        json!({"protocol": {"minReaderVersion": reader, "minWriterVersion": writer}})
    }

    /// The action that demands features: reader 3 and writer 7.
    pub fn features(readers: &[&str], writers: &[&str]) -> Value {
        json!({"protocol": {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": readers,
            "writerFeatures": writers,
        }})
    }
}
