<?php
// Requests as an application server answers them: a table from JSON, rows grouped and sorted, a page from a template.
// What a request made is freed at its end; every twentieth makes a report of megabytes.
mt_srand(31);
$rows = [];
for ($i = 0; $i < 1500; $i++) {
    $rows[] = ['id' => $i, 'name' => 'item ' . mt_rand(0, 400), 'price' => mt_rand(1, 9999), 'tags' => range(0, $i % 7)];
}
$json = json_encode($rows);

function page(string $json, int $number): string
{
    $groups = [];
    foreach (json_decode($json, true) as $row) {
        $groups[$row['name']][] = $row;
    }
    ksort($groups);
    $html = "<h1>Page $number</h1>";
    foreach ($groups as $name => $group) {
        usort($group, fn($a, $b) => $a['price'] <=> $b['price'] ?: $a['id'] <=> $b['id']);
        $html .= '<h2>' . htmlspecialchars($name) . '</h2><ul>';
        foreach ($group as $row) {
            $html .= sprintf('<li>%d: %.2f (%s)</li>', $row['id'], $row['price'] / 100, implode(', ', $row['tags']));
        }
        $html .= '</ul>';
    }
    return $html;
}

$sum = '';
for ($request = 0; $request < 400; $request++) {
    $text = page($json, $request);
    if ($request % 20 == 0) {
        $report = str_repeat($text, 30 + $request % 50);
        $text = strtoupper($report) . md5($report);
    }
    $sum = md5($sum . $text);
}
echo $sum, "\n";
