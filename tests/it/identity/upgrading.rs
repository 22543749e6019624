//! A database of a former version, whose items were known by one identity each, tells nothing
//! again.

use banditore::store::NewRevision;

use super::{Site, item, three};

#[tokio::test]
async fn items_of_a_former_version_are_known_again() {
    let mut site = Site::new().await;
    let mut tx = site.ground.store.write().await.unwrap();
    for item in three() {
        let text = NewRevision {
            title: item.title.clone(),
            link: item.link.clone(),
            summary: item.summary.clone(),
            content: String::new(),
            full_text: None,
            image_alt: Vec::new(),
            categories: Vec::new(),
            published_at: None,
            updated_at: None,
        };
        let identity = match item.id.as_deref() {
            Some("3") => "id:3".to_owned(),
            Some("2") => format!("link:{}", item.link.clone().unwrap_or_default()),
            _ => format!("title:{}", item.title),
        };
        tx.insert_item(&site.source, &identity, "former", true, &text, site.now).await.unwrap();
    }
    tx.commit().await.unwrap();
    site.ground.run("UPDATE source SET baseline_at = 1, succeeded_at = 1").await;
    let mut items = three();
    items[0].title = "Il mercato torna in piazza".to_owned();
    items[0].link = Some("https://www.example.org/altrove".to_owned());
    items.insert(0, item("9", "avvisi/neve.html", "Neve: scuole chiuse"));
    let taken = site.poll(&items).await;
    let told: Vec<&str> = taken.new.iter().map(|new| new.text.title.as_str()).collect();
    assert_eq!(told, ["Neve: scuole chiuse"]);
    assert_eq!(taken.revised.len(), 1, "a new digest of the same text is no revision");
    assert_eq!(site.poll(&items).await.new.len(), 0);
}
