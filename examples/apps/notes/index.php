<?php
$db = new PDO(sprintf('pgsql:host=%s;dbname=%s', getenv('DATABASE_HOST'), getenv('DATABASE')), getenv('USER_NAME'),
    getenv('PASSWORD'), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->exec('CREATE TABLE IF NOT EXISTS note (id serial PRIMARY KEY, text text NOT NULL)');
if (!empty($_POST['text'])) {
    $db->prepare('INSERT INTO note (text) VALUES (?)')->execute([$_POST['text']]);
    header('Location: /', true, 303);
    exit;
}
?>
<!doctype html>
<title>Notes</title>
<h1>Notes</h1>
<ul>
<?php foreach ($db->query('SELECT text FROM note ORDER BY id') as $row) { ?>
  <li><?= htmlspecialchars($row['text']) ?></li>
<?php } ?>
</ul>
<form method="post"><input name="text" autofocus> <button>Keep</button></form>
