require('../main.js').one('stitch-index');
