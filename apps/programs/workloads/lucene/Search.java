// An index is built in memory, merged and searched: young objects, byte blocks of 32 KiB, buffers of megabytes.
import java.util.Random;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.SerialMergeScheduler;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.ByteBuffersDirectory;

public final class Search {
  public static void main(String[] arguments) throws Exception {
    Random random = new Random(23);
    try (ByteBuffersDirectory directory = new ByteBuffersDirectory()) {
      IndexWriterConfig config =
          new IndexWriterConfig(new StandardAnalyzer())
              .setRAMBufferSizeMB(8)
              .setMergeScheduler(new SerialMergeScheduler());
      try (IndexWriter writer = new IndexWriter(directory, config)) {
        for (int i = 0; i < 20_000; i++) {
          StringBuilder text = new StringBuilder();
          for (int word = 0; word < 30; word++) {
            text.append('w').append(Math.min(random.nextInt(20_000), random.nextInt(20_000))).append(' ');
          }
          Document document = new Document();
          document.add(new StringField("id", "d" + i, Field.Store.YES));
          document.add(new TextField("text", text.toString(), Field.Store.NO));
          writer.addDocument(document);
        }
        writer.forceMerge(1);
      }
      long hits = 0;
      try (DirectoryReader reader = DirectoryReader.open(directory)) {
        IndexSearcher searcher = new IndexSearcher(reader);
        for (int i = 0; i < 2_000; i++) {
          BooleanQuery query =
              new BooleanQuery.Builder()
                  .add(new TermQuery(new Term("text", "w" + random.nextInt(2_000))), BooleanClause.Occur.MUST)
                  .add(new TermQuery(new Term("text", "w" + random.nextInt(2_000))), BooleanClause.Occur.SHOULD)
                  .build();
          hits += searcher.count(query) + searcher.search(query, 10).scoreDocs.length;
        }
      }
      System.out.println(hits);
    }
  }
}
