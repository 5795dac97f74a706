//! Why cells of a workbook that show a value in Excel have none: they are merged, or have a formula whose value was not stored.

use std::{collections::HashSet, io, path::Path};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};

use super::guarded::guarded;
use crate::{
    format::{by_number, counted},
    regular,
};

/// What makes cells of these columns empty, as far as the sheet shows it; `None` if it shows nothing or cannot be read.
pub(super) fn cause(path: &Path, sheet: &str, names: &[String]) -> Option<String> {
    let gaps = guarded("calamine", || Gaps::of(path, sheet, names).ok()).ok().flatten()?;
    let mut causes = Vec::new();
    if gaps.merged > 0 {
        causes.push(format!(
            "sheet `{sheet}` has merged cells in these columns, and a merged cell has its value only in its first row ({} below have none): \
             unmerge them and write the value into every row",
            counted(gaps.merged, "row")
        ));
    }
    if gaps.formulas > 0 {
        causes.push(format!(
            "{} of these columns in sheet `{sheet}` {} a formula without a stored value: open the workbook in Excel or LibreOffice and save \
             it, which stores the values",
            counted(gaps.formulas, "cell"),
            by_number(gaps.formulas, "has", "have")
        ));
    }
    (!causes.is_empty()).then(|| causes.join("; "))
}

/// Cells without a value.
#[derive(Debug, Default, PartialEq)]
struct Gaps {
    /// Rows of merged cells below their first one.
    merged: u64,
    /// Formulas without a stored value.
    formulas: u64,
}

impl Gaps {
    fn of(path: &Path, sheet: &str, names: &[String]) -> Result<Self, XlsxError> {
        let mut book = Xlsx::new(io::BufReader::new(regular::open(path)?))?;
        let merged = book.merge_cells_by_sheet_name(sheet)?;
        let mut cells = book.worksheet_cells_reader(sheet)?;
        let (mut header, mut columns, mut found) = (None, HashSet::new(), Self::default());
        while let Some(cell) = cells.next_cell_with_formula()? {
            let (row, column) = cell.pos;
            let text = match &cell.value {
                DataRef::String(text) => text.trim(),
                DataRef::SharedString(text) => text.trim(),
                DataRef::Empty => "",
                _ => " ",
            };
            if header.is_none() && text.is_empty() {
                continue;
            }
            if row == *header.get_or_insert(row) {
                if names.iter().any(|name| name == text) {
                    columns.insert(column);
                }
            } else if text.is_empty() && cell.formula.is_some() && columns.contains(&column) {
                found.formulas += 1;
            }
        }
        let first = header.unwrap_or_default();
        let is_read = |from: u32, to: u32| columns.iter().any(|column| (from..=to).contains(column));
        let regions = merged.iter().filter(|region| region.start.0 > first && is_read(region.start.1, region.end.1));
        found.merged = regions.map(|region| u64::from(region.end.0 - region.start.0)).sum();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// What is said of a sheet with these rows and this after them; its columns are `label` and `review`.
    fn says(rows: &str, after: &str) -> Option<String> {
        const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
        let link = |kind: &str, target: &str| {
            format!(
                "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"r1\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/>\
                 </Relationships>"
            )
        };
        let book = format!(
            "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"rows\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
        );
        let header = "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>label</t></is></c><c r=\"B1\" t=\"inlineStr\"><is><t>review</t></is></c></row>";
        let sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{header}{rows}</sheetData>{after}</worksheet>");
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut zip = ZipWriter::new(file.reopen().unwrap());
        for (name, content) in [
            ("[Content_Types].xml", format!("<Types xmlns=\"{PACKAGE}/content-types\"/>")),
            ("_rels/.rels", link("officeDocument", "xl/workbook.xml")),
            ("xl/workbook.xml", book),
            ("xl/_rels/workbook.xml.rels", link("worksheet", "worksheets/sheet1.xml")),
            ("xl/worksheets/sheet1.xml", sheet),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        cause(file.path(), "rows", &["review".into(), "label".into()])
    }

    #[test]
    fn merged_cells_of_the_columns_are_told() {
        let rows = "<row r=\"2\"><c r=\"A2\"><v>1</v></c><c r=\"B2\"><v>7</v></c></row><row r=\"3\"><c r=\"B3\"><v>8</v></c></row>";
        let merged = |at: &str| says(rows, &format!("<mergeCells count=\"1\"><mergeCell ref=\"{at}\"/></mergeCells>"));
        let want = "sheet `rows` has merged cells in these columns, and a merged cell has its value only in its first row (4 rows below have \
                    none): unmerge them and write the value into every row";
        assert_eq!(merged("A2:A6").as_deref(), Some(want));
        assert_eq!([merged("C2:C6"), merged("A2:B2"), merged("A1:A3"), says(rows, "")], [const { None }; 4]);
    }

    /// As openpyxl writes a formula: without a value, or with an empty one.
    #[test]
    fn formulas_without_a_value_are_told() {
        let formula = |value: &str| says(&format!("<row r=\"2\"><c r=\"A2\"><f>B2&amp;1</f>{value}</c></row>"), "");
        let want = "1 cell of these columns in sheet `rows` has a formula without a stored value: open the workbook in Excel or LibreOffice and \
                    save it, which stores the values";
        assert_eq!(
            [formula("").as_deref(), formula("<v></v>").as_deref(), formula("<v/>").as_deref()],
            [Some(want); 3]
        );
        assert_eq!(formula("<v>1</v>"), None);
        assert_eq!(says("<row r=\"2\"><c r=\"C2\"><f>B2</f></c></row>", ""), None, "of another column");
    }
}
